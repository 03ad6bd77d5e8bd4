"""Similarity of void points to mobile-ion environments (ACSF)."""
