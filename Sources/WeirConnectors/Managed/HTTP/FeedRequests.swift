import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL
import WeirCalls
import WeirGates
import WeirSettings
import WeirWorld

/// An answer whose body is still to come.
struct FeedAnswer {
    var status: HTTPResponseStatus
    var headers: HTTPHeaders
    var body: HTTPClientResponse.Body
    /// Who answered, after redirects.
    var address: FeedAddress

    var isUnchanged: Bool { status == .notModified }
}

/// The requests of one run: who we are, where redirects lead, how often it is tried.
///
/// Credentials and configured headers belong to the server of `url`; another that a redirect or a page leads to gets
/// neither.
struct FeedRequests: Sendable {
    private let settings: HTTPConnectorSettings
    private let means: ManagedMeans
    private let home: FeedAddress
    private let tls: TLSConfiguration?
    private let token: FeedToken?

    /// The longest pause between two attempts of a run; where a server wants a longer one, the run has failed.
    static let pauseMost = Duration.seconds(60)
    private static let saidMost = 800

    init(_ settings: HTTPConnectorSettings, home: FeedAddress, _ means: ManagedMeans) async throws {
        self.settings = settings
        self.means = means
        self.home = home
        token = settings.auth?.oauth2.map { FeedToken($0) }
        guard let files = settings.tls else {
            tls = nil
            return
        }
        let lane = means.world.blocking.lane("tls")
        defer { lane.close() }
        do { tls = try await lane.run { try files.configuration() } } catch let failure as TLSFileFailure {
            throw RunFailure("tls_files", "\(failure.sentence) (`tls.\(failure.setting)`).")
        }
    }

    /// Fetches a page, in several attempts and over redirects.
    /// - Parameters:
    ///   - known: what is known of it, for a conditional request.
    ///   - accept: the media type that is wanted.
    ///   - isGood: answers beyond 2xx and 304 that the caller understands.
    func fetch(
        _ address: FeedAddress, known: FeedState? = nil, accept: String? = nil, isGood: (Int) -> Bool = { _ in false }
    ) async throws -> FeedAnswer {
        var backoff = Backoff(first: .seconds(1), most: Self.pauseMost)
        var attempts = 0
        var isTokenRenewed = false
        while true {
            attempts += 1
            let trouble: FeedTrouble
            do {
                let answer = try await follow(address, known, accept)
                let code = Int(answer.status.code)
                if (200..<300).contains(code) || (code == 304 && known != nil) || isGood(code) { return answer }
                if code == 401, let token, !isTokenRenewed {
                    isTokenRenewed = true
                    attempts -= 1
                    await token.forget()
                    continue
                }
                trouble = await self.trouble(answer)
            } catch let failed as FeedTrouble { trouble = failed }
            let wait = max(
                backoff.failed(at: means.world.time.now, random: means.world.random),
                trouble.failure.retryAfter ?? .zero)
            guard trouble.mayPass, attempts < settings.attempts, wait <= Self.pauseMost else { throw trouble.failure }
            try await means.world.time.sleep(for: wait)
        }
    }

    private func follow(
        _ start: FeedAddress, _ known: FeedState?, _ accept: String?
    ) async throws -> FeedAnswer {
        var address = start
        var method = settings.method
        var hops = 0
        while true {
            let request = try await request(address, method, known, accept)
            let answer = try await send(request, to: address)
            guard [301, 302, 303, 307, 308].contains(answer.status.code),
                let location = answer.headers.first(name: "Location")
            else { return answer }
            hops += 1
            func refused(_ code: String, _ why: String) -> FeedTrouble {
                FeedTrouble(
                    failure: RunFailure(code, "\(address.name) answered \(answer.status.code): \(why)"), mayPass: false)
            }
            guard hops <= settings.redirects else {
                throw refused(
                    "redirect_endless",
                    "moved for the \(hops)th time, to `\(location.clipped)`; \(settings.redirects) are followed "
                        + "(`redirects`). Write the last URL into `url`.")
            }
            guard let next = address.following(location) else {
                throw refused("redirect_invalid", "moved to `\(location.clipped)`, which is no URL.")
            }
            guard next.isSecure || !address.isSecure else {
                throw refused("redirect_insecure", "moved from https to http, to \(next.name). That is not followed.")
            }
            // As browsers do it (WHATWG Fetch, HTTP-redirect fetch).
            if answer.status == .seeOther || answer.status.code < 303 { method = .get }
            guard method == .get || next.hasSameOrigin(as: home) else {
                throw refused(
                    "redirect_elsewhere", "moved to \(next.name), and a `body` is not sent to another server.")
            }
            address = next
        }
    }

    private func request(
        _ address: FeedAddress, _ method: HTTPConnectorSettings.Method, _ known: FeedState?, _ accept: String?
    ) async throws -> HTTPClientRequest {
        var request = HTTPClientRequest(url: address.text)
        request.method = method == .post ? .POST : .GET
        request.tlsConfiguration = tls
        var headers = HTTPHeaders([("User-Agent", "weir"), ("Accept-Encoding", FeedText.codings)])
        if let accept { headers.add(name: "Accept", value: accept) }
        if let known {
            if let etag = known.etag { headers.add(name: "If-None-Match", value: etag) }
            if let modified = known.lastModified { headers.add(name: "If-Modified-Since", value: modified) }
        }
        if method == .post {
            headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: settings.body))
        }
        if address.hasSameOrigin(as: home) {
            if let value = settings.auth?.plain.header { headers.add(name: "Authorization", value: value) }
            if let token {
                let value = try await token.value(at: means.world.time.now) { try await issue(token.request($0)) }
                headers.add(name: "Authorization", value: "Bearer \(value)")
            }
            if let header = settings.auth?.header {
                headers.replaceOrAdd(name: header.name, value: header.value.text)
            }
            for (name, value) in settings.headers.sorted(by: { $0.key < $1.key }) {
                headers.replaceOrAdd(name: name, value: value)
            }
        }
        request.headers = headers
        return request
    }

    /// A request for a token, which goes to a server of its own.
    private func issue(_ request: HTTPClientRequest) async throws -> ByteBuffer {
        guard let address = FeedAddress(request.url) else {
            throw RunFailure("invalid_url", "`\(request.url.clipped)` is no URL (`token_url`).")
        }
        var request = request
        request.tlsConfiguration = tls
        let answer = try await send(request, to: address)
        guard answer.status == .ok else { throw await trouble(answer) }
        return try await Self.beginning(of: answer.body, most: FeedToken.answerMost)
    }

    private func send(_ request: HTTPClientRequest, to address: FeedAddress) async throws -> FeedAnswer {
        let client = means.http
        let limit = settings.requestTimeout
        let time = means.world.time
        do {
            let response = try await withThrowingTaskGroup(of: HTTPClientResponse?.self) { group in
                group.addTask { try await client.execute(request, deadline: .distantFuture) }
                group.addTask {
                    try await time.sleep(for: limit)
                    return nil
                }
                defer { group.cancelAll() }
                return try await group.next() ?? nil
            }
            guard let response else { throw FeedTrouble.silent(limit, peer: address.name) }
            return FeedAnswer(
                status: response.status, headers: response.headers, body: response.body, address: address)
        } catch let trouble as FeedTrouble {
            throw trouble
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw FeedTrouble.unanswered(error, peer: address.name)
        }
    }

    private func trouble(_ answer: FeedAnswer) async -> FeedTrouble {
        let said = (try? await Self.beginning(of: answer.body, most: Self.saidMost)) ?? ByteBuffer()
        return .answer(
            answer.status, answer.headers, said, secrets: settings.auth?.secrets ?? [], peer: answer.address.name,
            at: means.world.time.wall)
    }

    /// What is beyond `most` is not read: leaving the loop gives the connection up.
    private static func beginning(of body: HTTPClientResponse.Body, most: Int) async throws -> ByteBuffer {
        var bytes = ByteBuffer()
        for try await piece in body {
            bytes.writeImmutableBuffer(piece)
            if bytes.readableBytes >= most { break }
        }
        return bytes
    }
}
