"""The measures of terrain that its clients need too: in a file of its own, since it imports nothing."""

METRES_PER_PIXEL = 90.0  # at level of detail 0; doubled at each level
LODS = 5  # levels of detail, 90 m to 1,440 m a pixel
PIXELS_PER_CELL = 16  # a side of a cell of the control map or of a sketch, at level 0
SKETCH_CELLS = (2, 1024)  # a side: fewer have no slope to read, more would be a world
SCALE_M, OFFSET_M = 0.25, -4096.0  # of heights on the wire
LOWEST_M, HIGHEST_M = OFFSET_M, OFFSET_M + SCALE_M * 65535  # what the wire's uint16 holds
MINIMUM_KM2 = (5.0, 500.0)  # that a river drains: below are no more than two cells; above, more than streams.REACH
