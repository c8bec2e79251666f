/* Preloaded into a daemon by AllocationTests: makes one call of malloc, calloc, realloc or mmap fail, notes
 * where each came from, and counts the blocks that are in use. What to fail stands in a file that the test
 * maps too, so it can be changed while the daemon runs. Calls from Swift's own libraries and from glibc don't
 * fail: those end the process when they do, by design; nor do those of libevent's HTTP code, which then
 * follows a null pointer. */
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
    int64_t places[8192]; /* of the first of these calls, in order */
};
enum { PLACES = 8192 };
static struct control *control;

struct range { uintptr_t from, to; };
static struct range exempt[64];
static int exempts;

/* Where Swift is linked into the daemon itself: its runtime's functions, sorted. */
static struct range runtime[32768];
static int runtimes;

static int before(const void *a, const void *b) {
    const struct range *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

static void note_runtime(uintptr_t base) {
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    off_t size = file < 0 ? 0 : lseek(file, 0, SEEK_END);
    if (size <= (off_t)sizeof(ElfW(Ehdr))) return;
    char *image = __libc_malloc(size);
    off_t got = 0;
    for (ssize_t n = 1; image && n > 0 && got < size; got += n) n = pread(file, image + got, size - got, got);
    close(file);
    if (got < size) return;
    const ElfW(Ehdr) *header = (const void *)image;
    const ElfW(Shdr) *sections = (const void *)(image + header->e_shoff);
    for (int i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB) continue;
        const ElfW(Sym) *symbols = (const void *)(image + sections[i].sh_offset);
        const char *names = image + sections[sections[i].sh_link].sh_offset;
        for (size_t n = 0; n < sections[i].sh_size / sizeof *symbols && runtimes < 32768; n++) {
            const char *name = names + symbols[n].st_name;
            if (ELF64_ST_TYPE(symbols[n].st_info) != STT_FUNC || symbols[n].st_size == 0) continue;
            if (strncmp(name, "swift", 5) && strncmp(name, "_swift", 6) && strncmp(name, "_Z", 2)) continue;
            uintptr_t from = base + symbols[n].st_value;
            runtime[runtimes++] = (struct range){ from, from + symbols[n].st_size };
        }
    }
    __libc_free(image);
    qsort(runtime, runtimes, sizeof *runtime, before);
}

static int is_runtime(uintptr_t address) {
    int low = 0, high = runtimes;
    while (low < high) {
        int middle = (low + high) / 2;
        if (runtime[middle].from <= address) low = middle + 1; else high = middle;
    }
    return low > 0 && address < runtime[low - 1].to;
}

static int note(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    if (info->dlpi_name[0] == 0) *(uintptr_t *)argument = info->dlpi_addr;
    static const char *const names[] = { "libswift", "libstdc++", "/libc.so", "ld-linux", "libevent_extra" };
    int found = 0;
    for (int i = 0; i < 5; i++) found |= strstr(info->dlpi_name, names[i]) != NULL;
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
    uintptr_t base = 0;
    dl_iterate_phdr(note, &base);
    note_runtime(base);
    void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map != MAP_FAILED) control = map;
}

static int fails(void *caller) {
    struct control *c = control;
    if (!c) return 0;
    for (int i = 0; i < exempts; i++)
        if ((uintptr_t)caller >= exempt[i].from && (uintptr_t)caller < exempt[i].to) return 0;
    if (is_runtime((uintptr_t)caller)) return 0;
    int64_t number = __atomic_fetch_add(&c->calls, 1, __ATOMIC_RELAXED);
    if (number < PLACES) c->places[number] = (int64_t)caller;
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
