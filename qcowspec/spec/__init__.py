"""What the format is, readable by itself: structures, entries, rules, profiles, sizes.

In: bytes of one structure, and what is known of the image. Out: fields, findings. Refuses: nothing;
nothing here reads a file.
"""
