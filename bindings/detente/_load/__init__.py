"""Files of strangers made into records: what `Database.load` is made of."""
