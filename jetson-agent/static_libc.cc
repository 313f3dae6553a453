// Of the static agent only: what the GNU C library does with the help of shared libraries of
// the system (name services, dlopen), which a static program must not load, since they are of
// another version of it. Libraries that are linked in refer to these functions, so the linker
// wants them; here they answer that there is nothing, and --fatal-warnings finds any other.
//
//   getaddrinfo, freeaddrinfo    gRPC's "native" resolver (it uses c-ares unless told otherwise)
//                                and OpenSSL's sockets, which nothing here opens
//   getnameinfo, gethostbyname   OpenSSL's sockets
//   getservbyname, …byport_r     names of services in c-ares; ports are numbers here
//   dlopen                       OpenSSL's engines and providers that are files
#include <netdb.h>

extern "C" {

int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo** result) {
  *result = nullptr;
  return EAI_FAIL;
}

void freeaddrinfo(addrinfo*) noexcept {}

int getnameinfo(const sockaddr*, socklen_t, char*, socklen_t, char*, socklen_t, int) {
  return EAI_FAIL;
}

hostent* gethostbyname(const char*) {
  h_errno = NO_RECOVERY;
  return nullptr;
}

servent* getservbyname(const char*, const char*) { return nullptr; }

int getservbyport_r(int, const char*, servent*, char*, size_t, servent** result) {
  *result = nullptr;
  return 0;
}

// The C library keeps its own dlopen, for character sets that nobody asks for; so this one is
// found by --wrap.
void* __wrap_dlopen(const char*, int) { return nullptr; }

}  // extern "C"
