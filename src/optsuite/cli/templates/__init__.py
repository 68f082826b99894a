"""The files that `optsuite init` writes into a repository."""
