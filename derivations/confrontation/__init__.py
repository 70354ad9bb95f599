"""Derivation, closed form and finite differences against each other, case by case."""
