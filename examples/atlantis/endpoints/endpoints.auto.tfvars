endpoints = {
  digits = { accuracy = 0.962, description = "Hand-written digits", file = "digits-v1.onnx" }
}
