"""One file a language: a new one is a copy of ``en.py``, named by its code; tests/test_language.py tells what lacks."""
