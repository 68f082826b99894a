"""The reference pages; a package so that a report can contain the definitions of its numbers."""
