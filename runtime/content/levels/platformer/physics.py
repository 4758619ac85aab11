"""The numbers of the platformer's physics. docs/levels.md has the rules that use them, in words.

A tick is about 1/22 s; lengths are in pixels (rules.TILE of them a tile), speeds in pixels a tick, all integers. They
are those of SuperTux, scaled (a run of 10 tiles a second, jumps of 4 and 5 tiles), so that its levels can be completed.
"""

HALF_WIDTH, HEIGHT = 6, 14  # the player's box: fits through gaps of one tile
RUN, SWIM = 7, 4  # the fastest sideways: on land and in the air, in water and on climbable tiles
GRAVITY, CUT, FALL = 1, 3, 15  # added each tick; while rising with jump released; the fastest fall
STEP = 8  # how far feet follow a slope up or down in a tick, and are lifted onto the tile beside its upper end
JUMP, RUNNING_JUMP, SPRING_JUMP = 11, 13, 20  # rises of 66, 91 and 210 pixels
RUNNING = 6  # from this speed on a jump is a running jump
STROKE, SINK = 4, 2  # up in water with jump held, down without
BOUNCE, HIGH_BOUNCE = 6, 11  # off a stomped enemy; with jump held
MERCY = 3  # a hazard hurts within the player's box less this on each side
PATROL, HOVER = 2, 1  # speeds of walking and flying enemies
ENEMY_INSET = 2  # an enemy's box is its tile less this at the left, the right and the top

SOLID, SLOPES = "#B?utr", "/\\"
ONE_WAY = "=m"  # a moving platform rests at its start
SPRING, HURTS, FLUID = "t", "^Lx", "~H"
WALKERS, FLYERS, STOMPABLE = "ek", "f", "ef"
STARTS, GOALS, COINS = "S", "G", "o"

DIRECTIONS = {".": 0, "r": 1, "l": -1, "J": 0, "R": 1, "L": -1}  # sideways, of each letter of a solution
HELD = "JRL"  # letters with jump held
