//! Everything the hosted pages say, in one place. A page takes its words from here by name; another
//! language is another table of the same names.

macro_rules! words {
    ($($(#[$group:meta])* $name:ident = $text:literal;)*) => {
        /// The words of one language.
        #[derive(Debug)]
        pub struct Words {
            $(pub(crate) $name: &'static str,)*
        }

        /// English.
        pub static EN: Words = Words { $($name: $text,)* };
    };
}

words! {
    // Everywhere
    run_by = "Run by";
    with_tutela = "with tutela.";
    try_again = "Try again in a moment.";
    no_answer = "A part of this server does not answer.";
    mail = "Mail address";
    name = "Name";
    password = "Password";
    new_password = "New password";
    code = "Code";
    back_to_sign_in = "Back to sign-in";
    go_on = "Continue";
    too_long = "It took too long, or went on in another window. Begin again.";
    begin_again = "Begin again";

    // Sign in
    sign_in = "Sign in";
    continue_to = "to continue to";
    why_sign_in = "You are here to reach your account.";
    why_app = "You are here because this application asks who you are:";
    use_passkey = "Sign in with a passkey";
    or = "or";
    forgot = "Forgot your password?";
    make_account = "Make an account";
    not_signed_in = "You could not be signed in because a part of this server does not answer. Try again in a moment.";

    // Applications
    consent = "Let this application in?";
    consent_lead = "asks for:";
    consent_back = "You then go back to";
    consent_later = "You can take it back at any time on your account page.";
    why_consent = "You are here because an application that you are signing in to wants to know who you are.";
    signed_in_as = "You are signed in as";
    allow = "Allow";
    deny = "Do not allow";
    scope_openid = "A number by which it knows you again";
    scope_profile = "Your name";
    scope_email = "Your mail address";
    scope_phone = "Your phone number";
    scope_groups = "The groups you are in";
    scope_roles = "The roles you hold here";
    scope_offline = "Going on while you are signed out";
    scope_other = "Acting for you at another service";
    apps = "Applications";
    privacy_tab = "Privacy";
    privacy = "What your data is used for";
    privacy_lead = "Each use stands on a ground of the law. Where that is your consent you decide, and taking it back is as easy as giving it; it holds at once.";
    basis_consent = "With your consent (GDPR Art. 6(1)(a))";
    basis_contract = "Needed for the service that you asked for (Art. 6(1)(b))";
    basis_legal_obligation = "Asked for by law (Art. 6(1)(c))";
    basis_vital_interests = "To protect somebody's life (Art. 6(1)(d))";
    basis_public_task = "For a task in the public interest (Art. 6(1)(e)); you may object";
    basis_legitimate_interests = "In the interest of whoever runs this (Art. 6(1)(f)); you may object";
    sells_too = "Data is sold or shared for it in the sense of the California Consumer Privacy Act.";
    notice_in_full = "The notice in full";
    notice_version = "Version";
    goes_to = "Goes to";
    kept_for = "Kept for";
    days = "days";
    you_allowed = "You allowed it";
    you_refused = "You said no";
    you_withdrew = "You took it back";
    not_said_yet = "You have not been asked yet, so it is not done.";
    not_allow = "Do not allow";
    object = "Object";
    receipt = "Receipt";
    said_so = "Noted. It holds from now on.";
    no_purposes = "Nothing is registered that your data would be used for.";
    gpc_on = "Your browser asks not to be sold or shared (Global Privacy Control), and is heard.";
    gpc_off = "Your browser does not send Global Privacy Control.";
    opted_out = "You have opted out of sale and sharing.";
    restricted = "At your request nothing is done with your data but keeping it.";
    data_tab = "Your data";
    your_data = "Your data";
    your_data_lead = "What is held of you is yours to see, to take along, and to have deleted. What you ask for is answered within the time of the law; most of it at once.";
    ask_for = "Ask for it";
    ask_access = "Show me what you have of me";
    ask_access_lead = "You get one file with everything that is held of you and why, to read and for programs (GDPR Art. 15).";
    ask_portability = "Give me my data to take along";
    ask_portability_lead = "You get one file that another service can read (GDPR Art. 20).";
    ask_do_not_sell = "Do not sell or share my data";
    ask_do_not_sell_lead = "From the next moment on nothing of yours is sold or shared (California Consumer Privacy Act).";
    ask_objection = "Object to what is done in the interest of others";
    ask_objection_lead = "Everything that you may object to ends, advertising too (GDPR Art. 21).";
    ask_restriction = "Only keep my data";
    ask_restriction_lead = "Nothing is done with your data but keeping it, until you and whoever runs this have settled what you disagree about (GDPR Art. 18).";
    ask_erasure = "Delete my account and all my data";
    ask_erasure_lead = "Subscriptions are cancelled, and everything of yours goes: files, entries, this account and the keys to it (GDPR Art. 17). What the law asks to be kept is named to you. This cannot be taken back.";
    ask_rectification = "Put right what is wrong";
    erase_all = "Delete everything";
    your_requests = "What you have asked for";
    no_requests = "You have not asked for anything yet.";
    asked_on = "Asked";
    answer_by = "to be answered by";
    package_until = "Can be downloaded until";
    download = "Download";
    how_far = "How far it is";
    request_completed = "answered";
    request_completed_lead = "This was done.";
    request_partial = "partly done";
    request_partial_lead = "A part is done. A system does not answer at the moment; the rest follows by itself.";
    request_refused = "refused";
    request_refused_lead = "This was refused. You may complain to a supervisory authority, and go to a court.";
    request_waiting = "being looked at";
    request_waiting_lead = "Somebody looks at it before it goes on.";
    request_running = "under way";
    request_running_lead = "It is being worked on.";
    erased_lead = "All of it is gone, and it was looked for everywhere afterwards. Keep the confirmation: it proves this without us.";
    package_lead = "Your file is ready. It is under “Your data” in your account; you will be asked to sign in again.";
    done_so_far = "What was done";
    kept = "What stays, and why";
    until = "until";
    confirmation = "Download the confirmation";
    confirmation_lead = "It is signed. Anybody can check it offline with the public key of this service.";
    look_again = "Look again";
    ask_title = "Ask about your data";
    ask_title_lead = "You need no account for this: a link is mailed to your address, and what is held under that address is yours to ask for.";
    ask_signed_in = "I have an account";
    ask_mail_lead = "A link is mailed to the address under which you are known.";
    ask_sent = "Look into your mail";
    ask_sent_lead = "A link is on its way to this address.";
    ask_sent_advice = "Open it within a day to confirm what you ask for. If nothing comes, look whether the address was right.";
    ask_no_mail = "Nobody can ask here without an account, since this server sends no mail.";
    ask_no_mail_advice = "Sign in and ask there, or write to whoever runs this.";
    why_ask = "You are here to ask what is held of you.";
    why_request = "You are here because you asked for something about your data. Keep the address of this page: it works without an account.";
    step_deleted = "deleted";
    step_masked = "made unreadable";
    step_changed = "put right";
    step_read = "in your file";
    step_set = "set";
    apps_tab = "Apps";
    apps_lead = "These applications may learn of you what you have allowed them. Taking it back signs you out there.";
    allowed_at = "Allowed";
    withdraw = "Take back";
    withdrawn = "Taken back: the application has nothing of yours from now on, but for what it wrote down before.";
    no_apps = "No application has asked for anything yet.";
    bad_request = "This application asked in a way that cannot be answered";
    bad_request_advice = "Nothing was given to anybody. Go back to the application; if it happens again, tell whoever runs it what stands here.";
    logout_asked = "asks to sign you out, here and everywhere this browser is signed in.";
    logout_asked_by_nobody = "This ends your session here and everywhere this browser is signed in.";
    why_logout = "You are here because an application wants to sign you out.";
    stay = "Stay signed in";

    // Second step
    prove = "Prove that it is you";
    prove_again = "Prove again that it is you";
    why_prove = "You are here because a password alone is not enough for this account.";
    why_prove_again = "You are here because what you want to do asks for a fresh sign-in.";
    by_totp = "Enter the code that your app shows.";
    by_sms = "Enter the code that was sent to";
    by_email = "Enter the code that was mailed to";
    by_recovery = "Enter one of your recovery codes. It works once.";
    by_passkey = "Use your passkey: the key, phone or computer that you set up.";
    by_password = "Enter your password.";
    send_sms = "Send a code by text message to";
    send_email = "Mail a code to";
    send_again = "Send another code";
    other_ways = "Another way";
    way_outside = "An account elsewhere";
    by_outside = "Prove it with an account that yours is connected with.";
    continue_with = "Continue with";
    outside = "Accounts elsewhere";
    outside_lead = "Whoever can sign in to one of these can sign in to your account.";
    connected_at = "Connected";
    connect_with = "Connect with";
    disconnect = "Disconnect";
    disconnected = "Disconnected.";
    connected = "Connected.";
    connect_title = "Connect your account";
    connect_button = "Connect";
    not_now = "Not now";
    why_connect = "You are here because you proved an account elsewhere that is not connected with one here yet.";
    nobody_yet = "No account here is connected with it";
    nobody_yet_lead = "If you have an account here, sign in to it first and connect the two. If you have none, whoever runs this service can make you one.";
    sign_in_and_connect = "Sign in and connect";
    leave_title = "Go on to the provider";
    why_leave = "You are here because you chose to sign in with an account elsewhere.";
    outside_down = "does not answer";
    outside_down_why = "You were not signed in. Nothing was changed.";
    outside_down_advice = "Sign in another way, or try again in a moment.";
    outside_no = "That did not work";
    outside_no_why = "The answer of the provider could not be used. It is on record why.";
    outside_no_advice = "Begin again. If it happens twice, tell whoever runs this service.";
    outside_cancelled = "You cancelled the sign-in at the provider.";
    way_totp = "A code of your app";
    way_sms = "A code by text message";
    way_email = "A code by mail";
    way_recovery = "A recovery code";
    way_passkey = "A passkey";
    way_password = "Your password";
    recovery_code = "Recovery code";
    recovery_hint = "Such as 7k3m9-xq2vd.";
    remember = "Do not ask again on this device for a while";
    remember_hint = "Only on a device that is yours. You can take it back in your account.";
    needs_script = "Passkeys need JavaScript, which is switched off in this browser.";
    stuck = "You cannot go on from here";
    stuck_why = "This account has nothing left with which you could prove that it is you.";
    stuck_advice = "Whoever runs this service can identify you and let you set up a new way to sign in.";

    // Enrol
    enrol = "Set up a second way to sign in";
    enrol_why = "This account needs one beside the password.";
    why_enrol = "You are here because this service asks for two ways to prove who you are.";
    enrol_totp_lead = "Scan this with an authenticator app, then enter the code that it shows.";
    enrol_totp_type = "Cannot scan? Type this into the app:";
    enrol_totp_open = "Open in an app on this device";
    enrol_passkey_lead = "A passkey is kept by this device, your phone or a security key, and needs no code.";
    make_passkey = "Make a passkey";
    passkey_name = "Name of the passkey, so that you know it again";
    app_name = "Name of the app or device, so that you know it again";
    confirm_code = "Confirm code";
    second_passkey = "Add a second passkey on another device too, so that losing one does not lock you out.";

    // Recovery codes
    codes = "Your recovery codes";
    codes_lead = "Print them or write them down, and keep them where your devices are not. Each works once in place of the second factor.";
    codes_once = "They are shown only now.";
    codes_kept = "I have kept them";
    why_codes = "You are here because a second way to sign in was set up.";

    // New password
    choose = "Choose another password";
    choose_because = "Your password has to be changed:";
    why_choose = "You are here because your password has to be changed before you go on.";
    set_password = "Set password";
    password_hint = "A few words that have nothing to do with each other are easy to remember and hard to guess. At least this many characters:";
    old_password = "Current password";

    // Recovery of access
    recover = "Reset your password";
    recover_lead = "Enter your mail address. If there is an account, a link is on its way within a minute.";
    recover_sent = "Look at your mail";
    recover_sent_lead = "If there is an account with this address, a link to choose a new password was mailed to it. It works once, for 30 minutes.";
    send_link = "Mail a link";
    why_recover = "You are here because you cannot sign in.";
    reset = "Choose a new password";
    reset_lead = "Every other way to sign in that you have set up stays as it is.";
    reset_done = "Your password was changed";
    reset_done_lead = "All sessions of your account have ended. Sign in with the new password.";
    why_link = "You are here because you opened a link that was mailed to you.";
    link_gone = "This link does not work any more";
    link_gone_why = "It was used already, is too old, or was replaced by a newer one.";
    link_gone_advice = "Ask for a new one.";

    // Unlock
    unlock = "Lift the lock of your account";
    unlock_lead = "Then you can sign in from devices that you have not used before.";
    unlock_code = "Enter the code that your app shows, so that your mailbox alone is not enough.";
    unlock_button = "Lift lock";
    unlock_done = "The lock was lifted";
    unlock_done_lead = "You can sign in again from any device.";

    // Not me
    not_me = "Was this sign-in not yours?";
    not_me_lead = "Then its session ends, the device is forgotten, and your password has to be changed at the next sign-in.";
    not_me_button = "It was not me";
    not_me_done = "The session was ended";
    not_me_done_lead = "Sign in and choose another password. Whoever it was knows the old one.";

    // Mail addresses
    verify = "Confirm your mail address";
    verify_lead = "Then messages about your account can reach you here.";
    verify_button = "Confirm address";
    verify_done = "Your mail address is confirmed";
    change_email = "Confirm your new mail address";
    change_email_lead = "From then on you sign in with it. All sessions of your account end.";
    change_email_done = "Your mail address was changed";
    change_email_done_lead = "Sign in with the new address.";

    // Sign up
    sign_up = "Make an account";
    sign_up_sent_lead = "A mail is on its way to you. Open the link in it, then sign in.";
    why_sign_up = "You are here to make an account.";

    // Account
    account = "Your account";
    account_tab = "Overview";
    security_tab = "Security";
    devices_tab = "Devices";
    activity_tab = "Activity";
    why_account = "You are here because you are signed in.";
    roles = "Roles";
    none = "none";
    verified = "confirmed";
    not_verified = "not confirmed";
    verify_now = "Confirm address";
    rename = "Change name";
    change_mail = "Change address";
    no_failures = "No failed attempts since your last sign-in.";
    sessions = "Sessions";
    no_sessions = "No live sessions.";
    this_one = "this one";
    end_session = "End session";
    end_others = "End all other sessions";
    sign_out = "Sign out";
    open_console = "Open the console";
    old_password_notice = "Your password is old";
    old_password_lead = "You can keep it. Change it if others could know it.";
    dismiss = "Not now";
    change_password = "Change password";
    second_factors = "Ways to prove that it is you";
    no_factors = "Nothing beside your password yet. A passkey is the safest, and the easiest to use.";
    add_totp = "Add an app";
    add_passkey = "Add a passkey";
    renew_codes = "Make new recovery codes";
    codes_left = "codes left";
    few_codes = "Few recovery codes are left. Make new ones; the old ones stop working.";
    remove = "Remove";
    added = "Added";
    used = "last used";
    never_used = "never used";
    phone = "Phone";
    phone_lead = "For codes by text message. They can be intercepted; an app or a passkey is safer.";
    add_phone = "Add a phone";
    remove_phone = "Remove phone";
    phone_number = "Phone number";
    phone_hint = "With the country code, such as +41 79 123 45 12.";
    send_code = "Send code";
    devices = "Devices";
    devices_lead = "Browsers and applications that you have signed in with.";
    remembered_until = "Spares the second step until";
    forget = "Forget device";
    this_device = "this device";
    activity = "Activity";
    activity_lead = "What happened to your account, newest first.";
    no_activity = "Nothing yet.";
    saved = "Saved.";
    mail_sent = "A mail is on its way.";
    removed = "Removed.";
    forgotten = "The device was forgotten and its sessions ended.";
}
