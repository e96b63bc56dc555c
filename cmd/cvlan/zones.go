package main

import _ "time/tzdata" // policies name time zones, and a machine may have no database of them
