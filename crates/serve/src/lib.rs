//! The model server: Open Inference Protocol v2, MLflow invocations, traffic split, metrics, health.

mod engine;
