"""What is written down: records, and the JSON of a run. `optsuite.results.reader.read` reads one."""
