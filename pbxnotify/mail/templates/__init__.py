"""The administrator's templates, filled in."""
