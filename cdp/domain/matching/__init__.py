"""Are two records of names and addresses the same person? Pure: fields, keys, weights, clusters."""
