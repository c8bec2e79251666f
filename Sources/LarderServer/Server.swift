// STUB
import CLibevent
import LarderProtocol
import LarderStore
