# The file FROM as a C array NAME in TO, with a NUL behind it; HEADER declares it.
file(READ ${FROM} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${TO} "#include \"${HEADER}\"\n\nconst char ${NAME}[] = { ${bytes}0 };\nconst size_t ${NAME}_len = sizeof(${NAME}) - 1;\n")
