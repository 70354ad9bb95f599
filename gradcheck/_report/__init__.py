"""What a check found: frozen records, their text for people, and their forms for programs."""
