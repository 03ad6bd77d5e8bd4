"""Engines that run AIMD: inputs, outputs, scripts, settings."""
