/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

static void assert_digest(const void *data, size_t size, const char *hex) {
    unsigned char out[PSHI_SHA256_BYTES];
    char text[2 * PSHI_SHA256_BYTES + 1];
    size_t i;

    pshi_sha256(data, size, out);
    for (i = 0; i < sizeof out; i++)
        snprintf(text + 2 * i, 3, "%02x", out[i]);
    assert_string_equal(text, hex);
}

/* The examples of NIST's "Secure Hash Standard" and its validation suite. */
static void standard_vectors(void **state) {
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const char long_text[] = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnop"
                                    "jklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    char *million = malloc(1000000);

    (void)state;
    assert_non_null(million);
    memset(million, 'a', 1000000);
    assert_digest(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest(two_blocks, 56, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_digest(long_text, 112, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    assert_digest(million, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

/* Every length of the last block: the digest of all digests, as another implementation computes it. */
static void every_tail(void **state) {
    unsigned char all[201 * PSHI_SHA256_BYTES], data[200];
    size_t n, i;

    (void)state;
    for (n = 0; n <= 200; n++) {
        for (i = 0; i < n; i++)
            data[i] = (unsigned char)(i * 7 + n);
        pshi_sha256(data, n, all + n * PSHI_SHA256_BYTES);
    }
    assert_digest(all, sizeof all, "e673d33f6940a6d3856d0d305fd88363ae0ba3b96e2411d8ddd5e0dd443f4525");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_vectors),
        cmocka_unit_test(every_tail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
