"""The pages to read; a package so that a report can bring its definitions along."""
