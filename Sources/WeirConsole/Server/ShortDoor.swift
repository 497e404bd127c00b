import Hummingbird
import NIOCore
import NIOHTTP1
import Synchronization
import WeirNode
import WeirWires
import WeirWorld

/// The door for requests that are short, whole and plain: what nearly all of a connector's are. It answers as the
/// router would, with the same headers.
struct ShortDoor: Sendable {
    struct Parts: Sendable {
        var head: HTTPResponseHead
        var body: ByteBuffer
        /// `OpenCTIAnswer.again`.
        var again: (@Sendable () -> Bool)?
    }

    /// Bytes of a body. Longer ones are taken while they come.
    static let bodyMost = 16 * 1_024

    let endpoint: OpenCTIEndpoint
    let time: any TimeSource
    let dates = HTTPDateCache()

    init(_ endpoint: OpenCTIEndpoint, time: any TimeSource) {
        self.endpoint = endpoint
        self.time = time
    }

    /// - Returns: bytes of body that follow; `nil` for a request that is the router's, also because the router refuses
    ///   it: one for another path, of a browser, for another host.
    func length(of head: HTTPRequestHead) -> Int? {
        guard head.method == .POST, head.version == .http1_1, DoorConnection.isFor(OpenCTIEndpoint.path, head) else {
            return nil
        }
        var length: Int?
        var host: String?
        for (name, value) in head.headers {
            switch name.utf8.count {
            case 4 where name.isHeader("host"): host = value
            case 6 where name.isHeader("origin"): return nil
            case 6 where name.isHeader("expect"): return nil
            case 10 where name.isHeader("connection"):
                guard value.isHeader("keep-alive") else { return nil }
            case 14 where name.isHeader("content-length"): length = Int(value)
            case 14 where name.isHeader("sec-fetch-site"): return nil
            case 17 where name.isHeader("transfer-encoding"): return nil
            default: break
            }
        }
        guard let length, length <= Self.bodyMost, let host,
            let name = RequestGuard<BasicRequestContext>.host(of: host), APIAddress.isLoopback(name)
        else { return nil }
        return length
    }

    func answer(_ head: HTTPRequestHead, _ body: ByteBuffer) async -> Parts {
        let answer = await endpoint.connectors.answerOpenCTI(
            method: head.method.rawValue, header: { name in head.headers.first(name: name) }, body: WholeBody(body))
        var headers = HTTPHeaders()
        headers.reserveCapacity(answer.headers.count + SecurityFields.all.count + 2)
        for (name, value) in answer.headers where !SecurityFields.has(name) { headers.add(name: name, value: value) }
        for (name, value) in SecurityFields.all { headers.add(name: name, value: value) }
        headers.add(name: "Content-Length", value: String(answer.body.readableBytes))
        headers.add(name: "Date", value: dates.text(at: time.wall))
        let status = HTTPResponseStatus(statusCode: answer.status)
        return Parts(
            head: HTTPResponseHead(version: .http1_1, status: status, headers: headers), body: answer.body,
            again: answer.again)
    }
}

/// A body that is there already.
private struct WholeBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer
    typealias Failure = any Error

    private let bytes: ByteBuffer

    init(_ bytes: ByteBuffer) { self.bytes = bytes }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var bytes: ByteBuffer?

        mutating func next() async throws -> ByteBuffer? { take() }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> ByteBuffer? { take() }

        private mutating func take() -> ByteBuffer? {
            defer { bytes = nil }
            return bytes
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(bytes: bytes) }
}

/// The date as HTTP writes it, made once a second.
final class HTTPDateCache: Sendable {
    private let newest = Mutex<(second: Int64, text: String)>((.min, ""))

    func text(at wall: WallTime) -> String {
        let second = wall.nanoseconds / 1_000_000_000
        return newest.withLock { newest in
            if newest.second != second { newest = (second, HTTPDate.text(wall)) }
            return newest.text
        }
    }
}

extension String {
    /// - Parameter name: in lower case.
    fileprivate func isHeader(_ name: StaticString) -> Bool {
        utf8.count == name.utf8CodeUnitCount
            && zip(utf8, UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)).allSatisfy {
                $0 | 0x20 == $1 || $0 == $1
            }
    }
}
