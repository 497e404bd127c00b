import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization
import WeirCalls
import WeirFlow
import WeirGates
import WeirSettings
import WeirWires
import WeirWorld

/// One URL that bodies are sent to: TLS, authorization, compression, the request and its bounded answer.
final class HTTPEndpoint: Sendable {
    struct Target: Sendable {
        var address: HTTPAddress
        var method = HTTPMethod.POST
        var headers: [(String, String)] = []
        var contentType: String
        var compression = HTTPCompression.none
        var tls: TLSSettings?
        var timeout = Duration.seconds(30)
        /// What must never show in a sentence.
        var secrets: [String] = []
    }

    struct Answer {
        var status: Int
        var body: ByteBuffer
        var retryAfter: String?
        /// False where the answer was longer than what is read.
        var isWhole: Bool
    }

    let target: Target
    private let client: HTTPClient
    private let world: World
    /// Packing a body takes milliseconds, which neither an event loop nor the cooperative pool has.
    private let lane: (any BlockingLane)?
    private let tls = Mutex<TLSConfiguration?>(nil)

    init(target: Target, means: DestinationMeans) {
        self.target = target
        client = means.http
        world = means.world
        lane = target.compression == .none ? nil : means.world.blocking.lane("http-compress")
    }

    deinit { lane?.close() }

    var peer: String { target.address.name }

    /// Reads the certificate files. It does not connect: the first request does, and its answer says more.
    func open() async throws(DeliveryFailure) {
        guard target.address.isSecure else { return }
        let settings = target.tls ?? TLSSettings()
        let lane = world.blocking.lane("tls")
        defer { lane.close() }
        let configuration: TLSConfiguration
        do {
            configuration = try await lane.run { try settings.configuration() }
        } catch {
            throw StreamFailure.tlsFiles(error)
        }
        tls.withLock { $0 = configuration }
    }

    /// Sends a body and judges the status by the family's table.
    /// - Parameter answerBytesMost: how much of the answer is read.
    func deliver(_ body: ByteBuffer, answerBytesMost: Int = HTTPFamily.answerBytesMost) async throws(DeliveryFailure)
        -> Answer
    {
        let answer = try await request(body, answerBytesMost: answerBytesMost)
        if let failure = failure(for: answer) { throw failure }
        return answer
    }

    func failure(for answer: Answer) -> DeliveryFailure? {
        HTTPFamily.failure(
            status: answer.status, retryAfter: answer.retryAfter,
            said: AnswerText.clean(answer.body, secrets: target.secrets),
            from: peer, now: world.time.wall)
    }

    func request(_ body: ByteBuffer, answerBytesMost: Int = HTTPFamily.answerBytesMost) async throws(DeliveryFailure)
        -> Answer
    {
        if target.address.isSecure, tls.withLock({ $0 == nil }) { try await open() }
        let packed = try await pack(body)
        var request = HTTPClientRequest(url: target.address.description)
        request.method = target.method
        request.tlsConfiguration = tls.withLock { $0 }
        var headers = HTTPHeaders()
        headers.reserveCapacity(target.headers.count + 3)
        headers.add(name: "Content-Type", value: target.contentType)
        if target.compression != .none { headers.add(name: "Content-Encoding", value: target.compression.rawValue) }
        for (name, value) in target.headers { headers.replaceOrAdd(name: name, value: value) }
        request.headers = headers
        request.body = .bytes(packed)
        do {
            let response = try await client.execute(request, timeout: .nanoseconds(target.timeout.nanoseconds))
            let (bytes, isWhole) = try await HTTPEndpoint.read(response.body, most: answerBytesMost)
            return Answer(
                status: Int(response.status.code), body: bytes, retryAfter: response.headers.first(name: "Retry-After"),
                isWhole: isWhole)
        } catch {
            throw HTTPFamily.failure(error, from: peer)
        }
    }

    // What is over the limit is not read: leaving the loop gives the connection up.
    private static func read(_ body: HTTPClientResponse.Body, most: Int) async throws -> (ByteBuffer, isWhole: Bool) {
        var bytes = ByteBuffer()
        for try await var part in body {
            let room = most - bytes.readableBytes
            if part.readableBytes > room {
                if let slice = part.readSlice(length: room) { bytes.writeImmutableBuffer(slice) }
                return (bytes, false)
            }
            bytes.writeBuffer(&part)
        }
        return (bytes, true)
    }

    private func pack(_ body: ByteBuffer) async throws(DeliveryFailure) -> ByteBuffer {
        guard let lane else { return body }
        let coding: ContentCoding = target.compression == .zstd ? .zstd : .gzip
        do {
            return try await lane.run { try Compression.encode(body, coding) }
        } catch {
            throw .busy(Reason("out_of_memory", "There is no memory to compress a request to \(peer)."))
        }
    }
}
