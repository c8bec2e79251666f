/* Preloaded into a daemon by AllocationTests: makes one call of malloc, calloc, realloc or mmap fail, and
 * counts the blocks that are in use. What to fail stands in a file that the test maps too, so it can be
 * changed while the daemon runs. Calls from Swift's own libraries and from glibc don't fail: those end the
 * process when they do, by design. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

struct control {
    int64_t countdown; /* the call that takes it from 1 to 0 fails */
    int64_t calls;     /* calls that could have failed, since it was set to 0 */
    int64_t failed;
    int64_t live;      /* blocks in use */
    int64_t site;      /* where the failed call came from: an address in the file `module` */
    char module[88];
};
static struct control *control;

struct range { uintptr_t from, to; };
static struct range exempt[64];
static int exempts;

static int note(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size, (void)argument;
    static const char *const names[] = { "libswift", "libstdc++", "/libc.so", "ld-linux" };
    int found = 0;
    for (int i = 0; i < 4; i++) found |= strstr(info->dlpi_name, names[i]) != NULL;
    if (!found) return 0;
    for (int i = 0; i < info->dlpi_phnum && exempts < 64; i++) {
        const ElfW(Phdr) *header = info->dlpi_phdr + i;
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X)) continue;
        uintptr_t from = info->dlpi_addr + header->p_vaddr;
        exempt[exempts++] = (struct range){ from, from + header->p_memsz };
    }
    return 0;
}

struct place { uintptr_t address; };
static int name(struct dl_phdr_info *info, size_t size, void *argument) {
    uintptr_t address = ((struct place *)argument)->address;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = info->dlpi_phdr + i;
        uintptr_t from = info->dlpi_addr + header->p_vaddr;
        if (header->p_type != PT_LOAD || address < from || address >= from + header->p_memsz) continue;
        control->site = (int64_t)(address - info->dlpi_addr);
        strncpy(control->module, info->dlpi_name, sizeof control->module - 1);
        return 1;
    }
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("LARDER_FAILING_MEMORY");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    dl_iterate_phdr(note, NULL);
    void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map != MAP_FAILED) control = map;
}

static int fails(void *caller) {
    struct control *c = control;
    if (!c) return 0;
    for (int i = 0; i < exempts; i++)
        if ((uintptr_t)caller >= exempt[i].from && (uintptr_t)caller < exempt[i].to) return 0;
    __atomic_add_fetch(&c->calls, 1, __ATOMIC_RELAXED);
    if (__atomic_load_n(&c->countdown, __ATOMIC_RELAXED) <= 0) return 0;
    if (__atomic_sub_fetch(&c->countdown, 1, __ATOMIC_RELAXED) != 0) return 0;
    struct place place = { (uintptr_t)caller };
    dl_iterate_phdr(name, &place);
    __atomic_add_fetch(&c->failed, 1, __ATOMIC_RELAXED);
    errno = ENOMEM;
    return 1;
}

static void *counted(void *block) {
    if (control && block) __atomic_add_fetch(&control->live, 1, __ATOMIC_RELAXED);
    return block;
}

void *malloc(size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size) {
    if (fails(__builtin_return_address(0))) return NULL;
    void *block = __libc_realloc(old, size);
    return old ? block : counted(block);
}

void free(void *block) {
    if (control && block) __atomic_sub_fetch(&control->live, 1, __ATOMIC_RELAXED);
    __libc_free(block);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    if (fails(__builtin_return_address(0))) return ENOMEM;
    *block = counted(__libc_memalign(alignment, size));
    return *block ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : counted(__libc_memalign(alignment, size));
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
    if (fails(__builtin_return_address(0))) return MAP_FAILED;
    return (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);
}
