"""New candidates by substitution into prototypes."""
