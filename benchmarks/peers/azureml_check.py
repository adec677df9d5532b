"""What the SDK of AzureML says of a job's file without a workspace: `azureml_check.py FILE`."""

import sys

from azure.ai.ml import load_job

try:
    result = load_job(sys.argv[1])._validate()
except Exception as problem:  # as `az ml` shows it: without the way through the library
    sys.exit(f"{type(problem).__name__}: {problem}")
print(result)
sys.exit(0 if result.passed else 1)
