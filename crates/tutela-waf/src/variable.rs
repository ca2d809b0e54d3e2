//! What rules can look at: the names of the ModSecurity reference, in one table.

macro_rules! variables {
    ($($variant:ident $name:literal $what:literal)+) => {
        /// A variable, or a collection of them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Variable { $(#[doc = $what] $variant,)+ }

        impl Variable {
            /// Every variable, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name in rules.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

variables! {
    Args "ARGS" "Every argument: query, form, JSON."
    ArgsCombinedSize "ARGS_COMBINED_SIZE" "Bytes of all names and values of arguments."
    ArgsGet "ARGS_GET" "Arguments of the query."
    ArgsGetNames "ARGS_GET_NAMES" "Their names."
    ArgsNames "ARGS_NAMES" "Names of all arguments."
    ArgsPost "ARGS_POST" "Arguments of the body."
    ArgsPostNames "ARGS_POST_NAMES" "Their names."
    AuthType "AUTH_TYPE" "Scheme of the `Authorization` header."
    Duration "DURATION" "Microseconds since the request began."
    Env "ENV" "What `setenv` has set."
    Files "FILES" "File names of uploads, as their clients call them."
    FilesCombinedSize "FILES_COMBINED_SIZE" "Bytes of all uploads."
    FilesNames "FILES_NAMES" "Names of the fields that uploads came in."
    FilesSizes "FILES_SIZES" "Bytes of each upload."
    FilesTmpContent "FILES_TMP_CONTENT" "Uploads themselves, up to the limit of inspection."
    FilesTmpNames "FILES_TMPNAMES" "Always empty: uploads are not written to disk."
    FullRequest "FULL_REQUEST" "Request line, headers and body."
    FullRequestLength "FULL_REQUEST_LENGTH" "Its bytes."
    Geo "GEO" "Always empty."
    Global "GLOBAL" "What `initcol:global` opened; it lives as long as the request."
    HighestSeverity "HIGHEST_SEVERITY" "Severity of the worst rule that matched, 0 to 7; 255 where none did."
    InboundDataError "INBOUND_DATA_ERROR" "1 where the body was longer than is inspected."
    Ip "IP" "What `initcol:ip` opened; it lives as long as the request."
    MatchedVar "MATCHED_VAR" "The value that matched last."
    MatchedVarName "MATCHED_VAR_NAME" "Where it was."
    MatchedVars "MATCHED_VARS" "Every value that the rule and those it is chained to matched."
    MatchedVarsNames "MATCHED_VARS_NAMES" "Where they were."
    ModsecBuild "MODSEC_BUILD" "Number of the ModSecurity version whose rules are spoken."
    MultipartBoundaryQuoted "MULTIPART_BOUNDARY_QUOTED" "1 where the boundary was quoted oddly."
    MultipartBoundaryWhitespace "MULTIPART_BOUNDARY_WHITESPACE" "1 where the boundary has whitespace."
    MultipartCrlfLfLines "MULTIPART_CRLF_LF_LINES" "1 where both line ends are mixed."
    MultipartDataAfter "MULTIPART_DATA_AFTER" "1 where something follows the last boundary."
    MultipartDataBefore "MULTIPART_DATA_BEFORE" "1 where something precedes the first."
    MultipartFileLimitExceeded "MULTIPART_FILE_LIMIT_EXCEEDED" "1 where there were more files than are taken."
    MultipartFilename "MULTIPART_FILENAME" "File name of the last part."
    MultipartHeaderFolding "MULTIPART_HEADER_FOLDING" "1 where a header of a part is folded."
    MultipartInvalidHeaderFolding "MULTIPART_INVALID_HEADER_FOLDING" "1 where it is folded wrongly."
    MultipartInvalidPart "MULTIPART_INVALID_PART" "1 where a part cannot be read."
    MultipartInvalidQuoting "MULTIPART_INVALID_QUOTING" "1 where a name is quoted wrongly."
    MultipartLfLine "MULTIPART_LF_LINE" "1 where a line ends in LF alone."
    MultipartMissingSemicolon "MULTIPART_MISSING_SEMICOLON" "1 where one is missing."
    MultipartName "MULTIPART_NAME" "Field name of the last part."
    MultipartPartHeaders "MULTIPART_PART_HEADERS" "Header lines of parts, by field name."
    MultipartSemicolonMissing "MULTIPART_SEMICOLON_MISSING" "As MULTIPART_MISSING_SEMICOLON."
    MultipartStrictError "MULTIPART_STRICT_ERROR" "1 where any of the above is."
    MultipartUnmatchedBoundary "MULTIPART_UNMATCHED_BOUNDARY" "1 where a line looks like a boundary and is none."
    OutboundDataError "OUTBOUND_DATA_ERROR" "1 where the answer was longer than is inspected."
    PathInfo "PATH_INFO" "Always empty."
    QueryString "QUERY_STRING" "The query, as it came."
    RemoteAddr "REMOTE_ADDR" "Address of the client."
    RemoteHost "REMOTE_HOST" "The same; names are not looked up."
    RemotePort "REMOTE_PORT" "Its port."
    RemoteUser "REMOTE_USER" "Name of the `Basic` credentials."
    ReqbodyError "REQBODY_ERROR" "1 where the body could not be read."
    ReqbodyErrorMsg "REQBODY_ERROR_MSG" "Why."
    ReqbodyProcessor "REQBODY_PROCESSOR" "How the body is read: URLENCODED, MULTIPART, JSON, XML."
    ReqbodyProcessorError "REQBODY_PROCESSOR_ERROR" "As REQBODY_ERROR."
    ReqbodyProcessorErrorMsg "REQBODY_PROCESSOR_ERROR_MSG" "As REQBODY_ERROR_MSG."
    RequestBasename "REQUEST_BASENAME" "Last segment of the path."
    RequestBody "REQUEST_BODY" "The body, where it is a form or a rule asks for it."
    RequestBodyLength "REQUEST_BODY_LENGTH" "Its bytes."
    RequestCookies "REQUEST_COOKIES" "Cookies."
    RequestCookiesNames "REQUEST_COOKIES_NAMES" "Their names."
    RequestFilename "REQUEST_FILENAME" "The path, decoded once."
    RequestHeaders "REQUEST_HEADERS" "Headers."
    RequestHeadersNames "REQUEST_HEADERS_NAMES" "Their names."
    RequestLine "REQUEST_LINE" "The request line."
    RequestMethod "REQUEST_METHOD" "The method."
    RequestProtocol "REQUEST_PROTOCOL" "The protocol: `HTTP/1.1`."
    RequestUri "REQUEST_URI" "Path and query, without scheme and host."
    RequestUriRaw "REQUEST_URI_RAW" "The target, as it stands in the request line."
    Resource "RESOURCE" "What `initcol:resource` opened; it lives as long as the request."
    ResponseArgs "RESPONSE_ARGS" "Always empty."
    ResponseBody "RESPONSE_BODY" "The answer's body, up to the limit of inspection."
    ResponseContentLength "RESPONSE_CONTENT_LENGTH" "Its bytes."
    ResponseContentType "RESPONSE_CONTENT_TYPE" "Its type."
    ResponseHeaders "RESPONSE_HEADERS" "The answer's headers."
    ResponseHeadersNames "RESPONSE_HEADERS_NAMES" "Their names."
    ResponseProtocol "RESPONSE_PROTOCOL" "The answer's protocol."
    ResponseStatus "RESPONSE_STATUS" "Its status."
    Rule "RULE" "The rule itself: `id`, `rev`, `severity`, `msg`, `logdata`."
    ServerAddr "SERVER_ADDR" "Our address."
    ServerName "SERVER_NAME" "The host that was asked for."
    ServerPort "SERVER_PORT" "Our port."
    Session "SESSION" "What `initcol:session` opened; it lives as long as the request."
    SessionId "SESSIONID" "What `setsid` has set."
    StatusLine "STATUS_LINE" "The answer's status line."
    Time "TIME" "`hh:mm:ss`, in UTC like all that follow."
    TimeDay "TIME_DAY" "Day of the month."
    TimeEpoch "TIME_EPOCH" "Seconds since 1970."
    TimeHour "TIME_HOUR" "Hour."
    TimeMin "TIME_MIN" "Minute."
    TimeMon "TIME_MON" "Month, 0 to 11."
    TimeSec "TIME_SEC" "Second."
    TimeWday "TIME_WDAY" "Day of the week, 0 is Sunday."
    TimeYear "TIME_YEAR" "Year."
    Tx "TX" "What rules keep for each other."
    UniqueId "UNIQUE_ID" "Id of the request."
    UrlencodedError "URLENCODED_ERROR" "1 where the form or query has a broken escape."
    User "USER" "What `initcol:user` or `setuid` opened; it lives as long as the request."
    UserId "USERID" "What `setuid` has set."
    WebappId "WEBAPPID" "What `SecWebAppId` says."
    Xml "XML" "Text and attributes of an XML body: `XML:/*` and `XML://@*`."
}

impl Variable {
    /// By its name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|variable| variable.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether rules can write to it.
    pub fn is_writable(self) -> bool {
        matches!(self, Self::Env | Self::Global | Self::Ip | Self::Resource | Self::Session | Self::Tx | Self::User)
    }

    /// Whether it can be told apart by a name after a colon.
    pub fn is_collection(self) -> bool {
        self.is_writable()
            || matches!(
                self,
                Self::Args
                    | Self::ArgsGet
                    | Self::ArgsGetNames
                    | Self::ArgsNames
                    | Self::ArgsPost
                    | Self::ArgsPostNames
                    | Self::Files
                    | Self::FilesNames
                    | Self::FilesSizes
                    | Self::FilesTmpContent
                    | Self::FilesTmpNames
                    | Self::Geo
                    | Self::MatchedVars
                    | Self::MatchedVarsNames
                    | Self::MultipartPartHeaders
                    | Self::RequestCookies
                    | Self::RequestCookiesNames
                    | Self::RequestHeaders
                    | Self::RequestHeadersNames
                    | Self::ResponseArgs
                    | Self::ResponseHeaders
                    | Self::ResponseHeadersNames
                    | Self::Rule
                    | Self::Xml
            )
    }
}
