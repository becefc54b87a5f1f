"""Loads NDJSON into Postgres with dlt, as its own documentation does it, and prints how long that took."""

import json
import sys
import time

import dlt


def records(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def main():
    path, url, folder = sys.argv[1:4]
    started = time.perf_counter()
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=folder,
        destination=dlt.destinations.postgres(url),
        dataset_name="dlt_bench",
        dev_mode=False,
    )
    resource = dlt.resource(records(path), name="parsed_content", write_disposition="replace")
    pipeline.run(resource)
    print(json.dumps({"ms": (time.perf_counter() - started) * 1000}))


main()
