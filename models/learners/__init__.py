"""The learners of the stack."""
