data "mlops_image" "ranking" {
  uri = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/ranking:stable"

  lifecycle {
    postcondition {
      condition     = contains(self.platforms, "linux/arm64")
      error_message = "The image is to run on Graviton: build it for linux/arm64."
    }
  }
}

# By its digest: what a saved plan runs, even if the tag moves before it is applied.
output "image" {
  value = data.mlops_image.ranking.id
}
