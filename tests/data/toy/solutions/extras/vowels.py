# %% [markdown]
# Count.

# %% [markdown] lang="zh"
# 数一数。


# %%
def vowels(text: str) -> int:
    """How many of the letters are vowels, in either case."""
    # BEGIN SOLUTION
    return sum(letter in "aeiou" for letter in text.lower())
    # END SOLUTION
