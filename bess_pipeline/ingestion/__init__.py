"""From providers' answers to market tables: the raw vault, what each dataset is, and the day-by-day build."""
