"""Everything that goes to an MLflow store, and what waits where a store does not answer."""
