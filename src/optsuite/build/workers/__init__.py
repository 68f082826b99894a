"""The workers that do build steps: processes of this machine, or those of a Dask cluster."""
