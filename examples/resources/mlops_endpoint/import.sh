terraform import mlops_endpoint.fraud local/fraud
terraform import mlops_endpoint.fraud ecs/prod/fraud

# A service of ECS that no endpoint made, by its name: the first apply takes it over.
terraform import mlops_endpoint.shop ecs/prod/shop
