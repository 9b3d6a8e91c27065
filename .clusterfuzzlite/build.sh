#!/bin/bash -eu
# Builds the fuzzers with the flags of OSS-Fuzz (CC, CXX, CFLAGS, LIB_FUZZING_ENGINE), and puts each
# into $OUT with its seeds, its dictionary and the shared libraries that it needs.

companions='json jwt deflate sockets'
fuzzers=$(basename -a test/fuzz/fuzz_*.c | sed 's/\.c$//')
make -j"$(nproc)" COMPANIONS="$companions" fuzz.cc="$CC" fuzz.linker="$CXX" \
    fuzz.flags="$CFLAGS -DWSP_CHECK=1" FUZZ_ENGINE="$LIB_FUZZING_ENGINE" fuzz-programs

# shellcheck disable=SC2086
python3 test/fuzz/run --unpack build/fuzz/seeds ${fuzzers//fuzz_/}

mkdir -p "$OUT/lib"
for fuzzer in $fuzzers; do
    name=${fuzzer#fuzz_}
    cp "build/fuzz/test/fuzz/$fuzzer" "$OUT/"
    ldd "$OUT/$fuzzer" | awk '/wslay|nettle|hogweed|gmp|jansson|cmocka|libz\./ { print $3 }' |
        xargs -I{} cp -L {} "$OUT/lib/"
    patchelf --set-rpath '$ORIGIN/lib' "$OUT/$fuzzer"
    (cd "build/fuzz/seeds/$name" && zip -q -r "$OUT/${fuzzer}_seed_corpus.zip" .)
    [ ! -e "test/fuzz/$name.dict" ] || cp "test/fuzz/$name.dict" "$OUT/$fuzzer.dict"
done
