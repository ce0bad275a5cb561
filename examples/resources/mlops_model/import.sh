terraform import mlops_model.fraud fraud
