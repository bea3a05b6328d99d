"""The wall clock: devices are processes that are held to the seconds and the memory which were computed for them."""
