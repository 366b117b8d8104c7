"""What a user did that cannot work, in the user's words."""


class FramedriftError(ValueError):
    """Says what was wrong, where (field, key, frame or column), and what would be right."""
