# Lua as a library's objects; what stands before the compiler is WITH, which may name $@ and $*.d.
OBJECTS := $(patsubst %.c,%.o,$(wildcard *.c))
CC = cc
WITH =

objects: $(OBJECTS)

%.o: %.c
	$(WITH) $(CC) -O2 -DLUA_USE_LINUX -MMD -MP -MF $*.d -c $< -o $@

clean:
	rm -f *.o *.d

-include $(wildcard *.d)
