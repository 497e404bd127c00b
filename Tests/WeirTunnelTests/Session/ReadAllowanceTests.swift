import NIOCore
import Testing

@testable import WeirTunnel

@Suite("How much is read from a socket at once")
struct ReadAllowanceTests {
    private let allocator = ByteBufferAllocator()

    @Test("is tiny in the first buffer, which NIO keeps, and ordinary in the second")
    func first() {
        let allowance = ReadAllowance()
        #expect(allowance.buffer(allocator: allocator).capacity == 64)
        _ = allowance.record(actualReadBytes: 64)
        #expect(allowance.buffer(allocator: allocator).capacity == ReadSize.first)
    }

    @Test("grows while reads come back full, within what the stream may send")
    func growth() {
        let allowance = ReadAllowance()
        allowance.left = 300 << 10
        var sizes: [Int] = []
        for _ in 0..<8 {
            let size = allowance.buffer(allocator: allocator).capacity
            _ = allowance.record(actualReadBytes: size)
            sizes.append(size)
        }
        #expect(sizes == [64, 8, 32, 128, 256, 256, 256, 256].map { $0 == 64 ? 64 : $0 << 10 })
        allowance.left = 4 << 20
        #expect(allowance.buffer(allocator: allocator).capacity == ReadSize.most)
    }
}
