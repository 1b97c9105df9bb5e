module serin.dev/bench/bare

go 1.24.0
