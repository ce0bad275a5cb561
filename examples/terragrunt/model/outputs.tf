output "champions" {
  description = "Version that is the champion, by model."
  value       = { for name, alias in mlops_model_alias.champion : name => alias.version }
}
