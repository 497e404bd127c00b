import Glibc
import Testing
import WeirDestinations
import WeirFlow
import WeirGates

@Suite(.timeLimit(.minutes(5))) struct StdoutDestinationTests {
    @Test("Lines come out of the pipe as they went in")
    func lines() async throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let destination = StdoutDestination(format: .lines, world: Bench.world, descriptor: ends[1])
        _ = try await destination.send(Bench.batch("one", "two"))
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(ends[0], &bytes, 64)
        #expect(String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self) == "one\ntwo\n")
        close(ends[0])
        close(ends[1])
    }

    @Test("A reader that is gone makes it unreachable")
    func gone() async throws {
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        close(ends[0])
        let destination = StdoutDestination(format: .lines, world: Bench.world, descriptor: ends[1])
        let failed = await failure { () async throws(DeliveryFailure) in
            _ = try await destination.send(Bench.batch("one"))
        }
        #expect(failed?.reason.code == "connection_closed")
        close(ends[1])
    }
}
