terraform import mlops_endpoint.fraud local/fraud
