# Made by tests/bench/run; gnuplot benchmarks.gnuplot makes the SVG again.
set terminal svg size 900,1320 font "sans-serif,12" background "white"
set output "benchmarks.svg"
set title "Speed of pgbox, sdbox = 1"
set logscale x 2
set xrange [0.0625:64]
set yrange [-0.7:49.7]
set ytics nomirror
set grid x
set xtics ("1/16" 0.0625, "1/8" 0.125, "1/4" 0.25, "1/2" 0.5, "1" 1, "2" 2, "4" 4, "8" 8, "16" 16, "32" 32)
set arrow from 1,-0.7 to 1,49.7 nohead lw 2
set lmargin 52
unset key
set style fill solid 0.7
plot "benchmarks.dat" using ($3 >= 1 ? sqrt($3) : sqrt($3)):0:(1):($3):($0-0.3):($0+0.3):ytic(2) \
    with boxxyerror lc rgb "#3b6ea5"
