import ArgumentParser
import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix
import WeirConsole

/// How a subcommand finds the running node.
struct NodeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the node's API is (or WEIR_ADDRESS). Default: http://127.0.0.1:9471", valueName: "url"))
    var address: String?

    /// The address with a scheme and without a slash at its end.
    var base: String {
        let given = address ?? ProcessInfo.processInfo.environment["WEIR_ADDRESS"] ?? ""
        var base = given.isEmpty ? "http://127.0.0.1:9471" : given
        if !base.contains("://") { base = "http://" + base }
        while base.hasSuffix("/") { base.removeLast() }
        return base
    }

    private static let usualHint =
        "Start one with 'weir run --config weir.yaml' or 'weir demo', or say where it is with --address."

    /// Runs `body` with a client. What goes wrong is said in one line on standard error, and becomes the exit code.
    /// - Parameter hint: what to do where nobody answers.
    func withClient(hint: String = usualHint, _ body: (APIClient) async throws -> Void) async throws {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(3)
        // The API is on this machine: a proxy that is set for the internet would not find it.
        configuration.proxy = nil
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(APIClient(base: base, client: client, hint: hint)))
        } catch {
            result = .failure(error)
        }
        try? await client.shutdown()
        do {
            try result.get()
        } catch let failure as APIClient.Failure {
            Terminal.error.line("weir: \(Printable.line(failure.text))")
            throw failure.exit
        }
    }
}

/// Talks to the API of a running node.
struct APIClient: Sendable {
    struct Failure: Error {
        var text: String
        var exit: ExitCode
        /// The API's code for it; empty where it is not the API's.
        var code = ""
    }

    let base: String
    let client: HTTPClient
    let hint: String

    /// Answers of lists and objects are bounded; streams are not gathered.
    static let bytesMost = 64 * 1_024 * 1_024

    func get<Value: Decodable>(_ type: Value.Type, _ path: String) async throws -> Value {
        try decode(type, try await data("GET", path))
    }

    /// - Parameter minutes: for the whole answer; without it half a minute.
    func post<Value: Decodable>(
        _ type: Value.Type, _ path: String, body: Tree? = nil, minutes: Int64? = nil
    ) async throws -> Value {
        try decode(type, try await data("POST", path, body, limit: minutes.map { .minutes($0) } ?? .seconds(30)))
    }

    /// The document as the API wrote it.
    func tree(_ path: String) async throws -> Tree {
        let data = try await data("GET", path)
        do { return try Tree(data) } catch { throw foreign }
    }

    /// Hands over each line as it comes, until the stream ends or `body` returns false.
    func lines(
        _ path: String, method: String = "GET", seconds: Int, _ body: ([UInt8]) throws -> Bool
    ) async throws {
        let response = try await send(method, path, limit: .seconds(Int64(seconds)))
        var line: [UInt8] = []
        do {
            for try await part in response.body {
                for byte in part.readableBytesView {
                    if byte != UInt8(ascii: "\n") {
                        line.append(byte)
                        if line.count > Self.bytesMost { throw foreign }
                        continue
                    }
                    guard try body(line) else { return }
                    line.removeAll(keepingCapacity: true)
                }
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(text: "the node at \(base) ended the stream (\(Self.words(error))).", exit: .unreachable)
        }
    }

    private func data(
        _ method: String, _ path: String, _ body: Tree? = nil, limit: TimeAmount = .seconds(30)
    ) async throws -> Data {
        let response = try await send(method, path, body, limit: limit)
        return try await gathered(response)
    }

    private func gathered(_ response: HTTPClientResponse) async throws -> Data {
        do {
            let body = try await response.body.collect(upTo: Self.bytesMost)
            return Data(body.readableBytesView)
        } catch {
            throw Failure(text: "the node at \(base) broke off its answer (\(Self.words(error))).", exit: .unreachable)
        }
    }

    private func send(
        _ method: String, _ path: String, _ body: Tree? = nil, limit: TimeAmount
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: base + path)
        request.method = HTTPMethod(rawValue: method)
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body.json))
        }
        let response: HTTPClientResponse
        do {
            response = try await client.execute(request, timeout: limit)
        } catch {
            throw Failure(
                text:
                    "no Weir answers at \(base) (\(Self.words(error))). \(hint)", exit: .unreachable)
        }
        guard response.status != .ok else { return response }
        let data = try await gathered(response)
        guard let problem = try? JSONText.decode(APIProblem.self, from: data) else { throw foreign }
        let text = [problem.message, problem.detail, problem.help].filter { !$0.isEmpty }.joined(separator: " ")
        switch response.status.code {
        case 403, 421: throw Failure(text: text, exit: .notAllowed)
        case 429, 503: throw Failure(text: text, exit: .tryAgain)
        default: throw Failure(text: text, exit: .failed, code: problem.code)
        }
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ data: Data) throws -> Value {
        do { return try JSONText.decode(type, from: data) } catch { throw foreign }
    }

    var foreign: Failure {
        Failure(text: "what answers at \(base) is not this version of Weir.", exit: .unreachable)
    }

    private static func words(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            let refused = error.connectionErrors.contains { ($0.error as? IOError)?.errnoCode == 111 }
            return refused ? "connection refused" : "cannot connect"
        case let error as HTTPClientError where error == .connectTimeout || error == .deadlineExceeded:
            return "no answer in time"
        case let error as HTTPClientError: return error.shortDescription
        case let error as IOError: return error.errnoCode == 111 ? "connection refused" : "\(error)"
        default: return "\(error)"
        }
    }
}
