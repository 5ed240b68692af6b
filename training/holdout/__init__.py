"""Cross-validation: what networks say of patients, and of whole sources, that they were not trained on."""
