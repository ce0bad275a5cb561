terraform import mlops_model_version.fraud fraud/8
