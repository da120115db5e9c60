/* A clock of CPU time that is half a second further on each time it is looked at.
 *
 * qemu-img measures how many PBKDF2 iterations it does in a second, twice for each LUKS image, and
 * looks on until half a second is gone. With this clock one look is enough, and no image fails
 * because the machine's own clock is too coarse. All else in the image is as ever.
 * Source: crypto/pbkdf.c: qcrypto_pbkdf2_count_iters.
 */
#include <string.h>
#include <sys/resource.h>

static _Thread_local long looked;

int getrusage(int who, struct rusage *usage)
{
    (void)who;
    memset(usage, 0, sizeof *usage);
    looked += 1;
    usage->ru_utime.tv_sec = looked * 600 / 1000;
    usage->ru_utime.tv_usec = looked * 600 % 1000 * 1000;
    return 0;
}
