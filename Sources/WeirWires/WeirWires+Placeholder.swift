// Room opens here.
